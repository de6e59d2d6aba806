# Two images from one code: `platform` runs our own processes, `airflow` is the official Airflow with our DAGs and, in an
# environment apart from Airflow's own, the packages that their tasks need. Every package is one of requirements.txt, checked
# against its hashes; every jar is one of stack/java/jars.lock, checked against its checksum.

FROM python:3.11-slim-bookworm AS packages
WORKDIR /build
COPY requirements.txt ./
# uv is in the lock as well: pip brings it, and checks it.
RUN sed -n '/^uv==/,/^[^ ]/{/^uv==/p;/^ /p}' requirements.txt > uv.txt \
    && pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --require-hashes -r uv.txt
COPY docker/platform.txt ./
RUN uv venv -q --no-python-downloads /opt/venv \
    && uv pip install --no-cache --compile-bytecode --python /opt/venv/bin/python -c requirements.txt -r platform.txt


FROM python:3.11-slim-bookworm AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jre-headless tini \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s "$(dirname "$(dirname "$(readlink -f /usr/bin/java)")")" /opt/java
# The user and group of the official Airflow image, so that both images read the same volumes.
RUN useradd --uid 50000 --gid 0 --create-home --shell /bin/bash candlestream \
    && install -d -o 50000 -g 0 -m 0750 /var/lib/candlestream \
    && install -d -o 50000 -g 0 -m 0700 /run/candlestream /run/init \
    && cd /run/init && install -d -o 50000 -g 0 -m 0700 vault writer reader airflow
COPY --from=packages /opt/venv /opt/venv
# Official images leave Python's own library uncompiled, and who runs our processes may write neither there nor beside our code:
# what is not compiled while the image is built is compiled anew by every process.
RUN python3 -m compileall -q -j 0 -x '/(tests?|site-packages)/' "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/candlestream \
    PYTHONUNBUFFERED=1 \
    JAVA_HOME=/opt/java
WORKDIR /opt/candlestream


# In a stage of its own, so that an edit of our code downloads nothing again.
FROM base AS connector
COPY stack stack
COPY spark_jobs/conf spark_jobs/conf
COPY docker/build_spark.py docker/
RUN python docker/build_spark.py /opt/spark


FROM base AS platform
COPY --from=connector /opt/spark /opt/spark
COPY . .
RUN python -m compileall -q -j 0 .
ENV SPARK_HOME=/opt/venv/lib/python3.11/site-packages/pyspark \
    SPARK_CONF_DIR=/opt/spark/conf \
    PYSPARK_PYTHON=/opt/venv/bin/python \
    PYSPARK_DRIVER_PYTHON=/opt/venv/bin/python \
    CANDLESTREAM_HOME=/var/lib/candlestream \
    NUMBA_CACHE_DIR=/var/lib/candlestream/cache/numba \
    XDG_CACHE_HOME=/var/lib/candlestream/cache
USER 50000:0
# -g: a stop is told to the whole group, as spark-submit's Python is a child of its JVM.
ENTRYPOINT ["tini", "-g", "--", "/opt/candlestream/docker/entrypoint.sh"]


FROM apache/airflow:3.3.2-python3.11 AS airflow
USER root
COPY --from=packages /usr/local/bin/uv /usr/local/bin/uv
COPY requirements.txt docker/tasks.txt /opt/candlestream/
RUN uv venv -q --no-python-downloads --python "$(command -v python)" /opt/venv \
    && uv pip install --no-cache --compile-bytecode --python /opt/venv/bin/python \
       -c /opt/candlestream/requirements.txt -r /opt/candlestream/tasks.txt
RUN python -m compileall -q -j 0 -x '/(tests?|site-packages)/' "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY . /opt/candlestream
RUN python -m compileall -q -j 0 /opt/candlestream
ENV PYTHONPATH=/opt/candlestream \
    CANDLESTREAM_TASK_PYTHON=/opt/venv/bin/python \
    CANDLESTREAM_HOME=/var/lib/candlestream \
    XDG_CACHE_HOME=/var/lib/candlestream/cache
WORKDIR /opt/candlestream
USER 50000:0
ENTRYPOINT ["/usr/bin/dumb-init", "--", "/opt/candlestream/docker/entrypoint.sh", "/entrypoint"]
