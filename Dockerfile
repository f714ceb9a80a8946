# Detection on the CPU, as a user without rights; works with `docker run --read-only` (docs/install.md).
FROM python:3.12-slim
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY blazeface ./blazeface
# OpenCV without windows: there is no display here, and it needs no libGL.
RUN python -m pip install --no-cache-dir --disable-pip-version-check -c constraints.txt . \
    && python -m pip uninstall --yes opencv-python \
    && python -m pip install --no-cache-dir --disable-pip-version-check -c constraints.txt opencv-python-headless \
    && rm -rf /src \
    && useradd --system --no-create-home --shell /usr/sbin/nologin blazeface
WORKDIR /
USER blazeface
ENTRYPOINT ["blazeface"]
CMD ["--help"]
