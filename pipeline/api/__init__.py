"""The HTTP front door: alerts in for sources that cannot speak Kafka, what people say about incidents, and what happened, read back."""
