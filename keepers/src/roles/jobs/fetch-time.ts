/** Seconds for which something may take to arrive from others' storage when nothing else is said. */
export const defaultFetchTime = 1800;
