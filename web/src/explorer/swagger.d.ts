// What the explorer uses of swagger-ui-dist, which has no types of its own.
declare module 'swagger-ui-dist/swagger-ui-es-bundle.js' {
  export interface SwaggerRequest {
    url: string;
    headers: Record<string, string>;
  }
  export default function SwaggerUI(options: {
    url: string;
    domNode: Element;
    deepLinking: boolean;
    docExpansion: 'list' | 'full' | 'none';
    filter: boolean;
    validatorUrl: null;
    persistAuthorization: boolean;
    requestInterceptor: (request: SwaggerRequest) => Promise<SwaggerRequest>;
  }): void;
}
