# One image for collect, work and serve. The two installing steps are those of the README for a machine without Docker.
FROM python:3.11.14-slim-bookworm

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/wijkenergie wijkenergie
WORKDIR /opt/wijkenergie

COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock
COPY . .
RUN pip install --no-deps --no-build-isolation .

ENV PYTHONUNBUFFERED=1
ENV WIJKENERGIE_DATA_DIR=/var/lib/wijkenergie WIJKENERGIE_LOG=json
USER wijkenergie
VOLUME /var/lib/wijkenergie
CMD ["wijkenergie", "serve"]
