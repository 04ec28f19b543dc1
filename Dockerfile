# CFS Explore as a server; see docs/server.md.
#   docker build -t cfs-explore .                                   for a CPU
#   docker build -t cfs-explore --build-arg DEVICE=cuda .           for NVIDIA GPUs; run it with --gpus all
#   ... --build-arg BROWSER=chromium                                figures also as PDF and PNG
FROM python:3.11-slim
ARG DEVICE=cpu
ARG BROWSER=
RUN if [ -n "$BROWSER" ]; then \
      apt-get update && apt-get install -y --no-install-recommends "$BROWSER" && rm -rf /var/lib/apt/lists/*; \
    fi
WORKDIR /app
COPY requirements.txt requirements-setup.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements-setup.txt
# The builds of torch for a CPU are other files than those whose hashes are listed: they come from torch's own index.
RUN if [ "$DEVICE" = cuda ]; then \
      uv pip install --system --no-cache --no-deps --require-hashes -r requirements.txt; \
    else \
      awk '/^[a-z]/ { kept = $0 !~ /^(nvidia-|cuda-|triton|torch==)/ } kept' requirements.txt > pinned.txt && \
      uv pip install --system --no-cache --no-deps --require-hashes -r pinned.txt && \
      uv pip install --system --no-cache --no-deps --torch-backend cpu "$(grep -oE '^torch==[^ ]+' requirements.txt)"; \
    fi
COPY . .
RUN uv pip install --system --no-cache --no-deps -e . && \
    useradd --create-home cfs && mkdir /runs && chown cfs /runs
USER cfs
ENV CFS_EXPLORE_RUNS=/runs CFS_EXPLORE_PUBLIC=1
VOLUME /runs
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD python -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"
CMD ["cfs-explore", "app", "--address", "0.0.0.0", "--port", "8501", "--headless"]
