export const writes = {};

export const reads = {};
