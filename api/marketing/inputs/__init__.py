"""The request bodies and query parameters, as `contracts/sendwave-pro.md` names them, with their limits."""
