// Prometheus
