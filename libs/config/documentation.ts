import { allSettings } from './settings.ts';
import type { Setting } from './settings.ts';

/** The content of docs/configuration.md. */
export function generateConfigurationDoc(): string {
  const groups = Map.groupBy(allSettings(), (setting) => setting.group);
  return [introduction, ...[...groups].map(([group, settings]) => section(group, settings))].join('\n');
}

const introduction = `# Configuration

Made from the schema in libs/config by \`npm run docs\`; don't edit it here.

Waypost is configured by its environment alone. A bad value or an unknown \`WAYPOST_\` name stops the start with the name, what is wrong and the
expected form; all problems are listed at once. An empty value is the same as none. Names that begin with \`WAYPOST_TEST_\` are ignored.

Settings marked *secret* are never printed or logged, and can be given as a file: \`<name>_FILE\` names it, its content (without the last
line end) is the value. Kubernetes puts names like \`WAYPOST_QUEUE_PORT\` into the environment of pods beside a Service of that name: set
\`enableServiceLinks: false\`.
`;

function section(group: string, settings: readonly Setting[]): string {
  const rows = settings.map((setting) => {
    const name = setting.secret ? `\`${setting.name}\` *secret*` : `\`${setting.name}\``;
    return `| ${name} | ${shownDefault(setting)} | ${escape(setting.meaning)} | ${escape(setting.expected)} |`;
  });
  return [`## ${group}`, '', '| name | default | meaning | form |', '| --- | --- | --- | --- |', ...rows, ''].join(
    '\n',
  );
}

function shownDefault(setting: Setting): string {
  if (setting.defaultShown !== undefined) return escape(setting.defaultShown);
  if (setting.default === undefined) return 'none';
  return setting.default === '' ? 'empty' : `\`${setting.default}\``;
}

function escape(text: string): string {
  return text
    .replace(/\|/g, '\\|')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/`([^`]*)`/g, (code) => code.replace(/&lt;/g, '<').replace(/&gt;/g, '>'));
}
