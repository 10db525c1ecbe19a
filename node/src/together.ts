/**
 * Runs everything until `signal` aborts. When one of them fails, the others are stopped.
 * @throws what the first one threw, after all have ended.
 */
export async function together(
  signal: AbortSignal,
  runs: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failed = new AbortController();
  const until = AbortSignal.any([signal, failed.signal]);
  const errors: unknown[] = [];
  await Promise.all(
    runs.map((run) =>
      run(until).catch((error: unknown) => {
        errors.push(error);
        failed.abort(error);
      }),
    ),
  );
  if (errors.length > 0) throw errors[0];
}
