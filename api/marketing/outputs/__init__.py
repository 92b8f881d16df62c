"""The rows of the marketing API's answers, as `contracts/sendwave-pro.md` names their fields and beyond."""
