FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir -c requirements.lock -w /wheels ".[postgres]"

FROM python:3.12-slim
# A volume takes over owner and mode of the folder that it is mounted on: var/ has to be there, and the user's.
RUN useradd --system --uid 10001 --home-dir /srv/triage --create-home triage \
 && install -d -o triage -g triage -m 0700 /srv/triage/var
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-index --find-links /wheels "triage[postgres]" && rm -rf /wheels
USER triage
WORKDIR /srv/triage
# config.toml and the partner file are mounted here; database, key and kept mail live in var/.
VOLUME /srv/triage/var
ENV PYTHONUNBUFFERED=1
HEALTHCHECK --interval=60s --timeout=20s --start-period=20s CMD ["triage", "check", "--offline"]
ENTRYPOINT ["triage"]
CMD ["run"]
