"""The answers of the gateway API, as `contracts/iaqui-gateway.openapi.json` names them and beyond."""
