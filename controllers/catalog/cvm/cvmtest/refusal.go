// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

// CodeUnknown is the error code for requests whose real answer is not known. The real service doesn't use it. A test
// that gets it must be changed, or the simulator extended with a source. Server.Unknown lists the causes.
const CodeUnknown = "InternalError.CvmtestUnknownBehaviour"

// refusal is an error answer: the code, and the message in English and Chinese. If zh is empty, it is the same as en.
type refusal struct{ code, en, zh string }

// refuse returns a refusal with the Chinese message of the API page, if it has one.
func refuse(code, message string) *refusal {
	return &refusal{code: code, en: message, zh: pageMessages[code]}
}

// unknown refuses undocumented behaviour with CodeUnknown.
func unknown(what string) *refusal {
	return &refusal{code: CodeUnknown, en: "cvmtest does not know what the real service does with " + what}
}

// missing returns the documented common code for a missing required parameter. That the names are those of the headers
// is inferred.
func missing(name string) *refusal {
	return &refusal{
		code: "MissingParameter",
		en:   "The request is missing a required parameter `" + name + "`.",
		zh:   "缺少参数 `" + name + "`。",
	}
}

func (r *refusal) message(lang language) string {
	if lang == chinese && r.zh != "" {
		return r.zh
	}
	return r.en
}

// pageMessages are the 18 business codes of the API page with its descriptions (DescribeImages, section 6).
var pageMessages = map[string]string{
	"FailedOperation.IllegalTagKey":                           "标签键存在不合法字符",
	"InvalidFilter":                                           "无效的过滤器。",
	"InvalidFilterValue.LimitExceeded":                        "Filter",
	"InvalidImageId.Malformed":                                "错误的镜像Id格式。",
	"InvalidInstanceType.Malformed":                           "指定InstanceType参数格式不合法。",
	"InvalidParameter.InvalidParameterCoexistImageIdsFilters": "不能同时指定ImageIds和Filters。",
	"InvalidParameterValue.InstanceTypeNotFound":              "指定机型不存在",
	"InvalidParameterValue.InvalidAppIdFormat":                "无效的appid。",
	"InvalidParameterValue.InvalidParameterValueLimit":        "参数值错误。",
	"InvalidParameterValue.LimitExceeded":                     "参数值数量超过限制。",
	"InvalidParameterValue.TagKeyNotFound":                    "指定的标签不存在。",
	"InvalidParameterValue.ZoneNotSupported":                  "请求不支持该可用区",
	"InvalidRegion.NotFound":                                  "未找到该区域。",
	"InvalidZone.MismatchRegion":                              "指定的zone不存在。",
	"ResourcesSoldOut.SpecifiedInstanceType":                  "指定的实例类型已售罄。",
	"UnauthorizedOperation.InvalidToken":                      "请确认Token是否有效。",
	"UnauthorizedOperation.PermissionDenied":                  "无权操作指定的资源,请正确配置CAM策略。",
	"UnsupportedOperation":                                    "操作不支持。",
}

// BusinessCodes returns the codes of the API page, section 6. Each can be produced: most by a request, the others by a
// Fault.
func BusinessCodes() []string { return sortedKeys(pageMessages) }
