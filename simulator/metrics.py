"""What the simulated exchange counts for Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("candlestream_simulator_requests", "HTTP requests answered", ["endpoint", "status"])
REQUEST_SECONDS = Histogram("candlestream_simulator_request_seconds", "Time to answer, in seconds", ["endpoint"])
TICKS = Counter("candlestream_simulator_ticks", "Updates sent over WebSockets")
SOCKETS = Gauge("candlestream_simulator_sockets", "WebSockets open now")
REFUSED = Counter("candlestream_simulator_refused_tunnels", "CONNECT requests to hosts that are not Yahoo's")
FAULTS = Counter("candlestream_simulator_faults", "Requests that a fault was put into on purpose", ["kind"])
OVER_BUDGET = Counter("candlestream_simulator_over_budget", "Requests refused because a client made too many")
