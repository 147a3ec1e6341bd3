export const queueSchema = ``;
