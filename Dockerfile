# For GPUs (the default; vLLM's wheels bring the CUDA libraries, the host brings the driver):
#   docker build -t whet .
#   docker run --rm --gpus all --shm-size 2g -e VLLM_API_KEY=SECRET -p 127.0.0.1:8000:8000 -v whet-data:/data whet
# For CPUs:
#   docker build -t whet:cpu --build-arg DEVICE=cpu .
#   docker run --rm --shm-size 1g -e VLLM_API_KEY=SECRET -p 127.0.0.1:8000:8000 -v whet-data:/data whet:cpu
FROM python:3.11-slim-bookworm

ARG DEVICE=cuda

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PIP_DISABLE_PIP_VERSION_CHECK=1

# gcc and g++: Triton compiles kernels when it first runs. libnuma1: vLLM's CPU kernels load it.
# bubblewrap: the sandbox of the verifier `python`.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap g++ gcc libc6-dev libnuma1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/whet

# The dependencies alone: this layer of several gigabytes stays cached while the sources change.
COPY pyproject.toml ./
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*p['dependencies'], *p['optional-dependencies']['${DEVICE}'], *p['optional-dependencies']['gguf'], *p['optional-dependencies']['postgres'], sep='\n')" \
        > requirements.txt \
    && if [ "${DEVICE}" = cpu ]; then \
        export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu \
        && pip install "torch==2.13.0+cpu" \
        && pip install --requirement requirements.txt \
        # Their builds do not match torch's CPU build and break every import of vLLM.
        && pip uninstall --yes torchvision torchaudio torchcodec; \
    else \
        pip install --requirement requirements.txt; \
    fi

COPY LICENSE README.md ./
COPY memory ./memory
COPY adaptation ./adaptation
COPY server ./server
COPY whet ./whet
RUN pip install --no-deps .

# Models fetched from a hub are kept in the volume too.
ENV WHET_DATA_DIR=/data \
    HF_HOME=/data/models
RUN useradd --create-home --uid 10001 whet \
    && install --directory --owner whet --group whet /data
USER whet
WORKDIR /home/whet
VOLUME /data
EXPOSE 8000

# The first start of a large model may download it.
HEALTHCHECK --interval=30s --timeout=5s --start-period=15m --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]

ENTRYPOINT ["whet"]
CMD ["serve", "--host", "0.0.0.0"]
