/**
 * What senders are told besides failures. `alarm_at`: when something of a waiting row is due by time alone: its notice of a delay, from then on its expiry. One
 * index for both: at acceptance every page of a commit counts. `owes` is a code of ops/delivery-codes.ts, `notice` the number of the notice once it was begun.
 */
export const noticesSchema = `
ALTER TABLE deliveries ADD COLUMN alarm_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN owes INTEGER;
ALTER TABLE deliveries ADD COLUMN notice INTEGER;
UPDATE deliveries SET alarm_at = expires_at;
DROP INDEX deliveries_expiry;
CREATE INDEX deliveries_alarm ON deliveries (alarm_at) WHERE lane IS NOT NULL;
CREATE INDEX deliveries_owes ON deliveries (id) WHERE owes IS NOT NULL;
`;
