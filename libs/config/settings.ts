import { z } from 'zod';
import { commandLineSettings } from './settings/command-line.ts';
import { deliverySettings } from './settings/delivery.ts';
import { identitySettings } from './settings/identity.ts';
import { listenersSettings } from './settings/listeners.ts';
import { operationSettings } from './settings/operation.ts';
import { securitySettings } from './settings/security.ts';
import { storageSettings } from './settings/storage.ts';
import { registry, type Setting } from './settings/setting.ts';

export type { Setting } from './settings/setting.ts';

/** Every setting by its field: the one schema of the environment. docs/configuration.md is made from it, in this order, and nothing else reads the environment. */
export const configSchema = z.object({
  ...identitySettings,
  ...listenersSettings,
  ...storageSettings,
  ...securitySettings,
  ...deliverySettings,
  ...operationSettings,
  ...commandLineSettings,
});

export type SettingField = keyof typeof configSchema.shape;

/** Every setting with its field, in the order of the documentation. */
export function allSettings(): readonly (Setting & { field: SettingField })[] {
  return z
    .keyof(configSchema)
    .options.map((field) => ({ field, about: registry.get(configSchema.shape[field]) }))
    .flatMap(({ field, about }) => (about === undefined ? [] : [{ ...about, field }]));
}
