// Shows /api/openapi.json. Text from the document only ever becomes text nodes.
const content = document.getElementById('content');
const filter = document.getElementById('filter');

try {
  const answer = await fetch('/api/openapi.json');
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  show(await answer.json());
} catch (error) {
  content.replaceChildren(element('p', {}, `The document can't be shown: ${error.message}`));
}

function show(api) {
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const byTag = Map.groupBy(operations, ({ operation }) => operation.tags?.[0] ?? 'other');
  const sections = [...byTag].map(([tag, ofTag]) =>
    element('section', {}, element('h2', {}, tag), ...ofTag.map((one) => showOperation(api, one))),
  );
  const introduction = element('details', {}, element('summary', {}, 'Conventions and problems'));
  introduction.append(element('p', { class: 'introduction' }, api.info.description ?? ''));
  content.replaceChildren(introduction, ...sections);
  filter.addEventListener('input', () => applyFilter(filter.value.toLowerCase()));
}

function applyFilter(text) {
  for (const section of content.querySelectorAll('section')) {
    let visible = false;
    for (const operation of section.querySelectorAll('details.operation')) {
      const matches = operation.dataset.words.includes(text);
      operation.hidden = !matches;
      visible ||= matches;
    }
    section.hidden = !visible;
  }
}

function showOperation(api, { path, method, operation }) {
  const block = element(
    'details',
    { class: 'operation', id: operation.operationId },
    element(
      'summary',
      {},
      element('span', { class: 'method' }, method.toUpperCase()),
      element('code', {}, path),
      element('span', { class: 'about' }, operation.summary ?? ''),
    ),
  );
  block.dataset.words = [path, method, operation.operationId, operation.summary, ...(operation.tags ?? [])]
    .join(' ')
    .toLowerCase();
  // Made when opened: the page has many.
  block.addEventListener(
    'toggle',
    () => block.open && block.children.length === 1 && block.append(details(api, path, method, operation)),
  );
  return block;
}

function details(api, path, method, operation) {
  const box = element('div', {});
  if (operation.description) box.append(element('p', {}, operation.description));
  box.append(element('p', {}, needs(operation)));
  if (operation.parameters?.length)
    box.append(element('h3', {}, 'Parameters'), parameterTable(api, operation.parameters));
  const body = operation.requestBody?.content?.['application/json']?.schema;
  if (body) box.append(element('h3', {}, 'Body'), element('pre', {}, outline(api, body)));
  for (const [status, reply] of Object.entries(operation.responses ?? {})) {
    box.append(element('h3', {}, `${status} · ${reply.description ?? ''}`));
    for (const [type, media] of Object.entries(reply.content ?? {})) {
      box.append(element('pre', {}, media.schema ? `${type}\n${outline(api, media.schema)}` : type));
    }
  }
  box.append(element('h3', {}, 'With curl'), element('pre', {}, curl(api, path, method, operation, body)));
  return box;
}

function needs(operation) {
  if (operation.security?.length === 0) return 'Needs no credentials.';
  const who = operation['x-administrators-only'] ? 'Only for administrators.' : 'For every account.';
  return operation['x-required-scope'] ? `${who} A token needs the scope ${operation['x-required-scope']}.` : who;
}

function parameterTable(api, parameters) {
  const head = element('tr', {}, ...['name', 'in', 'form', 'meaning'].map((text) => element('th', {}, text)));
  const rows = parameters.map((parameter) =>
    element(
      'tr',
      {},
      element('td', {}, element('code', {}, `${parameter.name}${parameter.required ? ' *' : ''}`)),
      element('td', {}, parameter.in),
      element('td', {}, element('code', {}, outline(api, parameter.schema ?? {}))),
      element('td', {}, parameter.description ?? parameter.schema?.description ?? ''),
    ),
  );
  return element('table', {}, head, ...rows);
}

/** A schema as one would write the value down. */
function outline(api, schema, indent = '', seen = []) {
  if (schema.$ref) {
    const name = schema.$ref.split('/').at(-1);
    if (seen.includes(name)) return name;
    return outline(api, api.components?.schemas?.[name] ?? {}, indent, [...seen, name]);
  }
  const either = schema.oneOf ?? schema.anyOf;
  if (either) return either.map((one) => outline(api, one, indent, seen)).join(' | ');
  if (schema.allOf) return schema.allOf.map((one) => outline(api, one, indent, seen)).join(' & ');
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if ('const' in schema) return JSON.stringify(schema.const);
  if (schema.type === 'array') return `[${outline(api, schema.items ?? {}, indent, seen)}]`;
  if (schema.properties) return outlineObject(api, schema, indent, seen);
  if (schema.type === 'object') return `{ "…": ${outline(api, schema.additionalProperties || {}, indent, seen)} }`;
  return [[schema.type].flat().join(' | ') || 'any', schema.format].filter(Boolean).join(' ');
}

function outlineObject(api, schema, indent, seen) {
  const inner = `${indent}  `;
  const lines = Object.entries(schema.properties).map(([name, property]) => {
    const mark = schema.required?.includes(name) ? '' : '?';
    const note = property.description ? `  // ${property.description}` : '';
    return `${inner}"${name}"${mark}: ${outline(api, property, inner, seen)}${note}`;
  });
  return `{\n${lines.join('\n')}\n${indent}}`;
}

function curl(api, path, method, operation, body) {
  const url = `${location.origin}${path}`;
  const user = operation.security?.length === 0 ? '' : ' --user ADDRESS:PASSWORD';
  const data = body ? ` \\\n  --json '${JSON.stringify(example(api, body, []))}'` : '';
  return `curl --request ${method.toUpperCase()}${user} '${url}'${data}`;
}

function example(api, schema, seen) {
  if (schema.$ref) {
    const name = schema.$ref.split('/').at(-1);
    return seen.includes(name) ? null : example(api, api.components?.schemas?.[name] ?? {}, [...seen, name]);
  }
  if (schema.examples?.length) return schema.examples[0];
  const either = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (either) return example(api, either[0], seen);
  if (schema.enum) return schema.enum[0];
  if (schema.type === 'array') return [example(api, schema.items ?? {}, seen)];
  if (schema.properties) {
    const wanted = schema.required ?? Object.keys(schema.properties);
    return Object.fromEntries(wanted.map((name) => [name, example(api, schema.properties[name] ?? {}, seen)]));
  }
  return { string: '…', integer: 0, number: 0, boolean: true, object: {} }[[schema.type].flat()[0]] ?? null;
}

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
