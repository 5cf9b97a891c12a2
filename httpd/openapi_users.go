package httpd

import (
	"fmt"
	"reflect"

	"github.com/fastqueue/fastqueue/auth"
	"github.com/fastqueue/fastqueue/fsm"
)

const (
	exampleCredentials = `{"username": "ada", "password": "correct horse"}`
	exampleName        = `{"username":"ada"}`
	exampleTokens      = `{"access_token":"eyJhbGciOiJIUzI1NiIs...","refresh_token":"eyJhbGciOiJIUzI1NiIs..."}`
	exampleRefresh     = `{"refresh_token": "eyJhbGciOiJIUzI1NiIs..."}`
)

func docRegisterUser() documentation {
	return documentation{
		id: "registerUser", tag: usersTag, summary: "Register a user",
		about:   "The new user has the role user. On nodes with closed registration the request needs the credential of an admin.",
		request: newUser{}, example: exampleCredentials, answer: named{}, shows: exampleName,
		codes:    []string{fsm.CodeUserExists, fsm.CodeLimitReached, codeRegistrationClosed, codeBusy},
		security: []string{noScheme, bearerScheme, keyScheme},
	}
}

func docLogin() documentation {
	return documentation{
		id: "login", tag: usersTag, summary: "Log in",
		about: fmt.Sprintf("Both tokens are good on every node: the access token for %d minutes, the refresh token for %d days.",
			int(fsm.AccessTokenLife.Minutes()), int(fsm.RefreshTokenLife.Hours())/24),
		request: credentials{}, example: exampleCredentials, answer: tokenPair{}, shows: exampleTokens,
		codes: []string{codeInvalidCredentials, fsm.CodeUserChanged, codeBusy},
	}
}

func docRefreshToken() documentation {
	return documentation{
		id: "refreshToken", tag: usersTag, summary: "Get a new pair of tokens",
		about: fmt.Sprintf("A refresh token is good for one use: keep the new one. If the answer was lost, the same request gets the same "+
			"pair for %d seconds. "+
			"After that a second use is taken for theft, and all tokens of the log-in end.", int(fsm.RefreshGrace.Seconds())),
		request: refreshRequest{}, example: exampleRefresh, answer: tokenPair{}, shows: exampleTokens,
		codes: []string{fsm.CodeRefreshInvalid, fsm.CodeRefreshReused},
	}
}

func docLogout() documentation {
	return documentation{
		id: "logout", tag: usersTag, summary: "Log out",
		about: "Ends the log-in on every node: its refresh tokens, and the access tokens that were given with them. Other log-ins and " +
			"API keys stay.",
		request: logoutRequest{}, strict: true, example: exampleRefresh, answer: statement{}, shows: `{"message":"Logged out successfully"}`,
		codes: []string{fsm.CodeRefreshInvalid},
	}
}

func docChangePassword() documentation {
	return documentation{
		id: "changePassword", tag: usersTag, summary: "Change the password",
		about:   "All older tokens of the user end at once, on every node. API keys stay.",
		request: passwordChange{}, example: `{"username": "ada", "old_password": "correct horse", "new_password": "better horse"}`,
		answer: named{}, shows: exampleName,
		codes: []string{codeInvalidCredentials, fsm.CodeUserChanged, codeBusy},
	}
}

func docDeleteUser() documentation {
	return documentation{
		id: "deleteUser", tag: usersTag, summary: "Delete a user",
		about:   "The user's tokens and API keys end at once; queues stay.",
		request: credentials{}, example: exampleCredentials, answer: statement{}, shows: `{"message":"User deleted successfully"}`,
		codes: []string{codeInvalidCredentials, fsm.CodeUserChanged, fsm.CodeLastAdmin, codeBusy},
	}
}

func docListUsers() documentation {
	return documentation{
		id: "listUsers", tag: usersTag, summary: "List the users", about: "Sorted by name. For admins.",
		parameters: listParameters("username", "ada"),
		answer:     userList{}, shows: `{"users":[{"username":"ada","role":"user","api_keys":1,"created":"2026-11-22T22:10:17Z"}]}`,
	}
}

func docSetRole() documentation {
	return documentation{
		id: "setRole", tag: usersTag, summary: "Give a user a role", about: "For admins. It holds at once, for tokens and API keys that " +
			"exist too. An API key takes the role admin away, but does not give it.",
		parameters: []parameter{pathParameter("name", "The user.", "ada", &schema{Type: "string", MaxLength: new(int64(fsm.MaxUserNameBytes))})},
		request:    roleChange{}, strict: true, example: `{"role": "admin"}`, answer: roleOf{}, shows: `{"username":"ada","role":"admin"}`,
		codes: []string{fsm.CodeUserNotFound, fsm.CodeLastAdmin},
	}
}

func docResetPassword() documentation {
	return documentation{
		id: "resetPassword", tag: usersTag, summary: "Reset a password",
		about: "Sets the password of a user who lost it. All older tokens of the user end at once; API keys stay. An admin who has logged in " +
			"may do this for everybody, and so may " +
			"who can read the data directory of a node, on that node's own machine: for the admin who lost theirs.",
		request: passwordReset{}, strict: true, example: `{"username": "ada", "new_password": "better horse"}`, answer: named{}, shows: exampleName,
		codes: []string{fsm.CodeUserNotFound, codeBusy},
	}
}

func userTypes() map[reflect.Type]described {
	name := field{about: fmt.Sprintf("1 to %d bytes without control or format characters and without spaces at its ends.", fsm.MaxUserNameBytes),
		need: true, within: within(1, fsm.MaxUserNameBytes)}
	login := field{about: "The user.", need: true, within: within(1, maxSmallBodyBytes)}
	password := field{about: "The present password.", need: true, within: within(1, maxSmallBodyBytes)}
	fresh := field{about: "The new password.", need: true, within: within(auth.MinPasswordLength, auth.MaxPasswordLength)}
	refresh := field{about: "As log-in or refresh answered it.", need: true, within: within(1, maxSmallBodyBytes)}
	role := field{about: "What the user may do.", need: true, values: []string{fsm.RoleAdmin, fsm.RoleUser}}
	return map[reflect.Type]described{
		reflect.TypeFor[credentials]():    {"Credentials", "A user and the password.", fields{"username": login, "password": password}},
		reflect.TypeFor[newUser]():        {"NewUser", "A user to register.", fields{"username": name, "password": fresh}},
		reflect.TypeFor[named]():          {"Username", "The user that the request was about.", fields{"username": {about: "The user."}}},
		reflect.TypeFor[statement]():      {"Statement", "Says what was done.", fields{"message": {about: "For people."}}},
		reflect.TypeFor[refreshRequest](): {"RefreshToken", "A refresh token of a log-in.", fields{"refresh_token": refresh}},
		reflect.TypeFor[logoutRequest]():  {"Logout", "A refresh token of the log-in that is to end.", fields{"refresh_token": refresh}},
		reflect.TypeFor[tokenPair](): {"TokenPair", "The tokens of a log-in.", fields{
			"access_token":  {about: "For the Authorization header of requests."},
			"refresh_token": {about: "Good for one new pair."},
		}},
		reflect.TypeFor[passwordChange](): {"PasswordChange", "The old and the new " +
			"password.", fields{"username": login, "old_password": password, "new_password": fresh}},
		reflect.TypeFor[passwordReset](): {"PasswordReset", "A new password.", fields{"username": login, "new_password": fresh}},
		reflect.TypeFor[userList]():      {"Users", "A page of users.", fields{"users": {about: "Sorted by name."}}},
		reflect.TypeFor[userView](): {"User", "A user.", fields{
			"username": {about: "The name."},
			"role":     role,
			"api_keys": {about: "How many API keys the user has, expired ones included."},
			"created":  {about: "When the user was made; null when that is not known."},
		}},
		reflect.TypeFor[roleChange](): {"RoleChange", "A role for a user.", fields{"role": role}},
		reflect.TypeFor[roleOf]():     {"RoleOfUser", "The user's role now.", fields{"username": {about: "The user."}, "role": role}},
	}
}
