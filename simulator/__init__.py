"""A simulated exchange that speaks Yahoo Finance's wire protocol to the unmodified yfinance client."""
