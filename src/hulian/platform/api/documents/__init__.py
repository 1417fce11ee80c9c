"""Documents of the information model over HTTP: received, read beside the model, looked at, and then applied or discarded.

`receiving` takes a file from the network to the disk, `reading` makes a version of it as a job that can be cancelled, `waiting`
remembers which versions nobody has decided on, `views` is what a person sees of one, `service` puts them together.
"""
