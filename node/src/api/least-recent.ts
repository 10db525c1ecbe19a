/** A map by text that holds so much and forgets what was asked for longest ago. One value alone may be larger than the whole. */
export class LeastRecent<V> {
  readonly #capacity: number;
  readonly #sizeOf: (value: V) => number;
  /** In the order of their last use, the oldest first. */
  readonly #values = new Map<string, V>();
  #size = 0;

  /** @param sizeOf what a value counts for; 1 unless given */
  constructor(capacity: number, sizeOf: (value: V) => number = () => 1) {
    this.#capacity = capacity;
    this.#sizeOf = sizeOf;
  }

  get(key: string): V | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }

  set(key: string, value: V): void {
    this.#forget(key);
    this.#values.set(key, value);
    this.#size += this.#sizeOf(value);
    for (const oldest of this.#values.keys()) {
      if (this.#size <= this.#capacity || oldest === key) break;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    const value = this.#values.get(key);
    if (value === undefined) return;
    this.#size -= this.#sizeOf(value);
    this.#values.delete(key);
  }
}
