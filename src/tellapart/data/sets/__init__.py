"""Sources of data sets: the catalogue, IDX files, folders, tables, and archives of arrays."""
