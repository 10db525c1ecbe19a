import { expect, test } from 'vitest';
import { engineEnvironment } from './engine-environment.ts';

test('hides drivers that compute in software, and whatever the operator hides', () => {
  const own = engineEnvironment({}, { HOME: '/srv', VK_LOADER_DRIVERS_DISABLE: '*nouveau*' });
  expect(own['HOME']).toBe('/srv');
  const patterns = own['VK_LOADER_DRIVERS_DISABLE']?.split(',');
  expect(patterns).toEqual(['*nouveau*', '*lvp*', '*lavapipe*', '*swiftshader*']);
  expect(engineEnvironment({}, {})['VK_LOADER_DRIVERS_DISABLE']).toMatch(/^\*lvp\*,/);
});

test('leaves everything as it is where software is allowed', () => {
  const environment = { HOME: '/srv' };
  expect(engineEnvironment({ allowSoftware: true }, environment)).toEqual(environment);
});
