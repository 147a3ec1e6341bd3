/** Bodies and what tries the bucket out lie apart: the collection of bodies looks only under its prefix. */
export const bodyPrefix = 'bodies/';
export const probePrefix = 'probe/';

export const bodyKey = (id: string): string => `${bodyPrefix}${id}`;
