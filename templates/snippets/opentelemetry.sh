export OTEL_EXPORTER_OTLP_ENDPOINT=https://miniapm.example
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer $MINIAPM_API_KEY"
export OTEL_SERVICE_NAME=default
export OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=production,service.version=v1.2.3"
export OTEL_METRICS_EXPORTER=none
