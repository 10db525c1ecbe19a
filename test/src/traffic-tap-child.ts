import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

/**
 * Loaded before a node's own program (`--import`): writes everything that the node sends to other members into the file that `TRAFFIC_TAP` names, as
 * it is before Noise encrypts it. Only the encryption's source is added to; the node runs its own code over its own connections.
 */
const file = process.env['TRAFFIC_TAP'] ?? '';

interface Encrypting {
  chaCha20Poly1305Encrypt(plaintext: { subarray(): Uint8Array }, ...rest: unknown[]): unknown;
}

const tap = (crypto: Encrypting): void => {
  const encrypt = crypto.chaCha20Poly1305Encrypt;
  crypto.chaCha20Poly1305Encrypt = (plaintext, ...rest) => {
    appendFileSync(file, plaintext.subarray());
    return encrypt(plaintext, ...rest);
  };
};
Reflect.set(globalThis, 'tapOutgoing', tap);

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.endsWith('/@libp2p/noise/dist/src/crypto/index.js')) return loaded;
    return { ...loaded, source: `${loaded.source}\nglobalThis.tapOutgoing(defaultCrypto);\n` };
  },
});
