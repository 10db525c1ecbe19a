/**
 * The same items, of which the next one is fetched while the caller is at the last: reading a file and computing on another overlap, and at most one item
 * more is held. An error comes where its item would have. Left early, it waits for the item under way and closes the source.
 */
export async function* readAhead<T>(source: AsyncIterable<T>): AsyncGenerator<T, void, void> {
  const items = source[Symbol.asyncIterator]();
  const fetch = (): Promise<IteratorResult<T>> => {
    const fetched = items.next();
    fetched.catch(ignore); // Whoever asks for the item gets the error; until then nobody does.
    return fetched;
  };
  let next = fetch();
  try {
    for (let item = await next; item.done !== true; item = await next) {
      next = fetch();
      yield item.value;
    }
  } finally {
    await next.catch(ignore);
    await items.return?.();
  }
}

function ignore(): void {}
