"""The Streamlit dashboard. It reads schema `v1` as `candlestream_reader` and writes nothing."""
