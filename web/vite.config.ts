import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const server = process.env.TIDEWIRE_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react()],
  build: {
    // Everything is a file of its own: the page's security policy allows no data: URLs.
    assetsInlineLimit: 0,
    // The placeholder that lets Go build without Node stays where it is.
    emptyOutDir: true,
    target: 'es2022',
    // The app, and the API explorer, which is a page of its own at /docs.
    rollupOptions: { input: ['index.html', 'docs.html'] },
    // Whose work the bundle carries; the font's licence lies in public/licenses.
    license: { fileName: 'licenses/packages.md' },
    // The component library is half of the app's main piece, 180 kB as it travels; the explorer
    // is one piece of 430 kB, which only /docs loads.
    chunkSizeWarningLimit: 1800,
  },
  server: {
    proxy: { '/api': { target: server, ws: true }, '/openapi.yaml': { target: server } },
  },
  test: {
    environment: 'node',
    include: ['src/**/*.test.ts'],
  },
});
