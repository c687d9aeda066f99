# One image for web, gateway, worker, beat and the migration; which one it is, the command says.
FROM python:3.11-slim AS build
COPY requirements/base.txt /build/base.txt
# `base.txt` has no bundled servers in it: production brings its own PostgreSQL and Redis.
RUN python -m venv /usr/local/holdfast && /usr/local/holdfast/bin/pip install --no-cache-dir --require-hashes -r /build/base.txt

FROM python:3.11-slim
# The directory is the sequencer's: a new volume takes its owner over.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin holdfast && \
    install -d -o 10001 -g 10001 -m 700 /var/lib/holdfast
COPY --from=build /usr/local/holdfast /usr/local/holdfast
WORKDIR /srv/holdfast
COPY manage.py ./
COPY controlplane/ controlplane/
COPY gateway/ gateway/
COPY alerts/ alerts/
COPY tools/ tools/
COPY servers/ servers/
COPY access/ access/
COPY audit/ audit/
COPY core/ core/
COPY templates/ templates/
COPY static/ static/
COPY locale/ locale/
ENV PATH=/usr/local/holdfast/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=controlplane.settings
USER 10001:10001
CMD ["uvicorn", "controlplane.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", "--no-server-header"]
