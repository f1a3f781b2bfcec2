"""Where data sets come from: the catalogue, IDX files, folders, tables and archives of arrays."""
