#!/bin/bash
# prepare.sh DIR [PYTHON]: what the clients of run.py import, for that Python (default 3.12), into two folders:
# DIR/packages (crewgraph's needs and the frameworks beside it) and DIR/crewai (whose needs do not go with theirs).
# Run it where there is a package index, take DIR to the machine with the GPU, and give run.py
# --packages DIR/packages --crewai DIR/crewai. Neither touches vLLM's own environment. Needs uv.
set -euo pipefail
into=${1:?say into which folder}
version=${2:-3.12}
install() { uv pip install --quiet --python-version "$version" --python-platform x86_64-manylinux_2_28 \
    --only-binary :all: --target "$@"; }

install "$into/packages" \
    'aiohttp>=3.11' 'alembic>=1.14' 'httptools' 'httpx' 'langchain-core>=1,<2' 'msgspec' 'platformdirs>=4' \
    'pydantic>=2.11,<3' 'rich>=13.9' 'snowballstemmer>=2.2' 'sqlmodel>=0.0.24' 'uvloop' \
    'langgraph==1.2.22' 'langchain-openai==1.7.3' 'autogen-agentchat==0.7.5' 'autogen-ext[openai]==0.7.5' \
    'openai-agents==0.20' 'pydantic-ai-slim[openai]==2.31' 'openai==2.48.0'
install "$into/crewai" 'crewai>=1.15,<2'
# What CrewAI brings and no conversation loads: vector stores, clouds, documents.
(cd "$into/crewai" && rm -rf lancedb* lance_namespace* pyarrow* onnxruntime* chromadb_rust_bindings* kubernetes* \
    pypdfium2* pdfminer* hf_xet* tokenizers* huggingface_hub* PIL pillow* openpyxl* textual* uvloop* watchfiles* bin)
find "$into" -name __pycache__ -prune -exec rm -rf {} +
du -sm "$into"/packages "$into"/crewai
