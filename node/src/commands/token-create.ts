import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Role, roles } from '@consilium/client';
import { parseDocument } from 'yaml';
import { newToken, tokenHash } from '../api/tokens.ts';
import { checkConfig, loadConfig } from '../config.ts';
import { writeDurably } from '../site-folder.ts';
import { usage } from '../usage.ts';
import { type Command, textOption } from './command.ts';

const form = 'token create --role ROLE --name WHO';

export const tokenCreate: Command = {
  usage: form,
  summary: 'let somebody ask this node over HTTP: write the token’s hash into consilium.yaml',
  options: { role: { type: 'string' }, name: { type: 'string' }, json: { type: 'boolean' } },
  positionals: 0,
  async run(invocation) {
    const { folder, options, print } = invocation;
    const role = roles.find((each: Role) => each === textOption(invocation, 'role'));
    const name = textOption(invocation, 'name');
    if (role === undefined || name === undefined) {
      throw usage('a role and a name are needed', `${form}; roles: ${roles.join(', ')}`);
    }
    const { http } = await loadConfig(folder.config);
    if (http.tokens.some((token) => token.name === name)) {
      throw usage(`there is a token for ${name} already`, 'token create --name ANOTHER');
    }
    const token = newToken(randomBytes);
    // The document, not its value: comments stay.
    const document = parseDocument(await readFile(folder.config, 'utf8'));
    document.setIn(
      ['http', 'tokens'],
      document.createNode([...http.tokens, { name, role, sha256: tokenHash(token) }]),
    );
    checkConfig(document.toJS(), folder.config);
    await writeDurably(folder.config, document.toString());
    if (options['json'] === true) {
      print(JSON.stringify({ name, role, token }));
      return;
    }
    print(`token     ${token}`);
    print(`role      ${role} as ${name}`);
    print('next      hand it over by a safe way: it is shown this once; then start the node again');
  },
};
