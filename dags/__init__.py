"""Airflow's part: what runs when. DAG files declare; commands, checks and failures are plain functions beside them."""
