"""``GET /{identifier}``: a page for people, JSON and linksets for programs, and a GS1 Digital Link conformant resolver."""
