// Swagger UI fills every parameter in with its example, and would so send filters that nobody asked
// for. Where a parameter may be left out, its example becomes part of its description.
function quieten(spec) {
  for (const operations of Object.values(spec.paths)) {
    for (const operation of Object.values(operations)) {
      for (const parameter of operation.parameters ?? []) {
        if (!parameter.required && "example" in parameter) {
          parameter.description += ` For example: \`${parameter.example}\``;
          delete parameter.example;
        }
      }
    }
  }
  return spec;
}

async function start() {
  const page = document.getElementById("swagger-ui");
  const answer = await fetch(page.dataset.schemaUrl, {
    headers: { Accept: "application/vnd.oai.openapi+json" },
  });
  SwaggerUIBundle({
    spec: quieten(await answer.json()),
    domNode: page,
    deepLinking: true,
    displayOperationId: true,
    displayRequestDuration: true,
    docExpansion: "list",
    filter: true,
    persistAuthorization: true,
    tryItOutEnabled: true,
    validatorUrl: null,
  });
}

start();
