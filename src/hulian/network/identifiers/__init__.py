"""标识解析: moves names to records. Bytes and syntax below, one step a link, a node is a chain of links."""
