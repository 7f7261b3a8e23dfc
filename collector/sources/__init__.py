"""Where readings come from: Modbus TCP and MQTT."""
