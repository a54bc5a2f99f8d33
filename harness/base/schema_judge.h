#pragma once

// For tests only: Debian's libvalijson-dev is headers that are not clean under our warnings.

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace lvspec {

/// What the JSON schema in `file` says of a value: the validator's first complaint with its place, or "valid". It may
/// refer to other schemas in its folder by their names.
inline std::string judge_by_schema(const std::string& file, const nlohmann::json& value) {
  using Adapter = valijson::adapters::NlohmannJsonAdapter;
  std::ifstream in(file);
  const nlohmann::json document = nlohmann::json::parse(in);
  valijson::Schema schema;
  const auto fetch = [&](const std::string& name) {
    std::ifstream other(file.substr(0, file.rfind('/') + 1) + name);
    return new nlohmann::json(nlohmann::json::parse(other));
  };
  const auto release = [](const nlohmann::json* fetched) { delete fetched; };
  valijson::SchemaParser().populateSchema(Adapter(document), schema, fetch, release);
  valijson::ValidationResults results;
  if (valijson::Validator().validate(schema, Adapter(value), &results)) return "valid";
  valijson::ValidationResults::Error error;
  results.popError(error);
  std::string place;
  for (const std::string& part : error.context) place += part;
  return place + ": " + error.description;
}

}  // namespace lvspec
