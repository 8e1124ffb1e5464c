import js from '@eslint/js';
import hooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import ts from 'typescript-eslint';

export default ts.config(
  { ignores: ['dist', 'node_modules', 'src/api'] },
  js.configs.recommended,
  ...ts.configs.strictTypeChecked,
  {
    files: ['**/*.{ts,tsx}'],
    languageOptions: {
      globals: globals.browser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  { files: ['**/*.{ts,tsx}'], ...hooks.configs.flat.recommended },
  // Advice for the React Compiler, which this build does not use: memos here are by hand.
  { files: ['**/*.{ts,tsx}'], rules: { 'react-hooks/preserve-manual-memoization': 'off' } },
  { files: ['*.js'], ...ts.configs.disableTypeChecked },
);
