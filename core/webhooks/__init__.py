"""The HTTP of webhooks: secrets and signatures, which addresses may be dialled, the sender."""
