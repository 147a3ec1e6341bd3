export const mailboxesSchema = ``;
