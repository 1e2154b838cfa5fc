# The image of a node: `docker build -t hookflash .`, then mount your agent at /app/agent.py.
# Packages are those of deploy/image.lock, each checked against its hash.
ARG PYTHON=3.13-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /build
RUN python -m venv /opt/hookflash
COPY deploy/image.lock scripts/build.lock ./
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN /opt/hookflash/bin/pip install --no-deps --require-hashes \
    --requirement image.lock \
    && python -m venv tools \
    && tools/bin/pip install --no-deps --require-hashes \
    --requirement build.lock
COPY packages/hookflash packages/hookflash
RUN tools/bin/pip wheel --no-deps --no-build-isolation \
    --wheel-dir wheels packages/hookflash \
    && /opt/hookflash/bin/pip install --no-deps --no-index wheels/*.whl \
    && /opt/hookflash/bin/python -m compileall -q /opt/hookflash/lib \
    && /opt/hookflash/bin/pip uninstall --yes --quiet pip

FROM python:${PYTHON}
# A fixed number, so that volumes have the same owner on every host.
RUN groupadd --gid 10001 hookflash \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data hookflash \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data /files \
    && install --directory /app
COPY --from=build /opt/hookflash /opt/hookflash
ENV PATH=/opt/hookflash/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOOKFLASH_HOST=0.0.0.0 \
    HOOKFLASH_PORT=8080 \
    HOOKFLASH_DATA_DIR=/data \
    HOOKFLASH_LOG_FORMAT=json
WORKDIR /app
USER 10001:10001
VOLUME ["/data"]
EXPOSE 8080
STOPSIGNAL SIGTERM
# Alive, not ready: a draining node is alive, and a node without Redis is, too.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=6 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["hookflash"]
CMD ["serve", "/app/agent.py"]
