"""What is asked over HTTPS: resolvers of GS1 Digital Links, DID documents."""
