import { z } from 'zod';
import { type Form, text } from '../forms.ts';

/** What is known of one name of the environment, beside its form. */
export interface Setting {
  name: string;
  default: string | undefined;
  /** What the documentation shows as default, where it isn't a fixed text. */
  defaultShown: string | undefined;
  meaning: string;
  /** The form, in words. */
  expected: string;
  /** Never printed; also read from the file that `<name>_FILE` names. */
  secret: boolean;
  group: SettingGroup;
}

export type SettingGroup =
  | 'Identity'
  | 'Listeners'
  | 'Storage and bus'
  | 'Security'
  | 'Delivery'
  | 'Operation'
  | 'Command line';

/** What is known of each setting, by its schema. */
export const registry = z.registry<Setting>();

export const filePath = text('the path of a file');

export function setting<T>(
  group: SettingGroup,
  name: string,
  form: Form<T>,
  defaultText: string,
  meaning: string,
  secretly = false,
) {
  const about = {
    group,
    name,
    default: defaultText,
    defaultShown: undefined,
    meaning,
    expected: form.expected,
    secret: secretly,
  };
  return form.schema.prefault(defaultText).register(registry, about);
}

export function optional<T>(
  group: SettingGroup,
  name: string,
  form: Form<T>,
  meaning: string,
  defaultShown?: string,
  secretly = false,
) {
  const about = { group, name, default: undefined, defaultShown, meaning, expected: form.expected, secret: secretly };
  return form.schema.optional().register(registry, about);
}

export function secret<T>(group: SettingGroup, name: string, form: Form<T>, meaning: string, defaultShown?: string) {
  return optional(group, name, form, meaning, defaultShown, true);
}
