"""数据体系, the element: ingest stores what was sent, once; the historian keeps it; the catalogue knows what there is."""
